"""What people can do in Discord: commands, and the words on the screen."""
