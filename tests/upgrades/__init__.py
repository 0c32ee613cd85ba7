"""Old and new: what commit 57c1406 wrote, and processes of its code beside today's."""
