"""What becomes of a job when the bot dies or a request fails: two tables, and the page of them."""
