"""The database: the only SQL there is, one class an aggregate on one `Database`."""
