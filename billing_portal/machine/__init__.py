"""Everything on one machine: how processes are started, watched and stopped. Needs no Django."""
