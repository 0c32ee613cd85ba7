"""Bytes on their way: downloads, source images, finished videos."""
