"""What people read: the message catalogue, its limits, and who reads which language."""
