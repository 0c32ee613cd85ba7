"""Try Kinora with no account: a chat in the browser (`python -m demo`), or one command on the terminal."""
