"""The way from votes to a better version, with every real part, and what stops a bad one."""
