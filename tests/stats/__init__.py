"""The statistics against constants from elsewhere, enumeration, and small seeded simulations."""
