"""The platform: durable jobs, users and what they may do, events, retention. No web in it."""
