"""The rollback bench: bad and good deploys of simulated services, judged by our engine and by the usual ways."""
