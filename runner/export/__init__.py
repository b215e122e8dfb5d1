"""What leaves for other systems' eyes: OpenTelemetry. Called by the monitor; imports nothing that decides."""
