"""What the faults cost that a rollback may meet: what is lost, and how long all take to agree."""
