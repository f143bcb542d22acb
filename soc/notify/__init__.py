"""Notifications: from an alert to a mail or a webhook. `plan` decides, `worker` acts, `message` writes, `email` and `webhook` send."""
