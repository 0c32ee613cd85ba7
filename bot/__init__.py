"""The bot: see `bot.app` for how its parts are put together."""
