"""Stand-ins for Discord and Novita that speak their wire protocols, so that Kinora runs with no account."""
