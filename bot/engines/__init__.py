"""Who runs jobs: this process alone, or many through Procrastinate on PostgreSQL."""
