"""What people can do in Discord: one Cog a command family; cogs know no other cog."""
