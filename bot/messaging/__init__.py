"""To Discord over REST: what is posted, found again and edited."""
