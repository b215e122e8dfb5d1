"""From what users say and do to data that one may train on; reads the event lake and files, asks no network."""
