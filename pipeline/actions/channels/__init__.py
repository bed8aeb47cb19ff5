"""How an action reaches its receiver: letters, mail, webhook, work queue."""
