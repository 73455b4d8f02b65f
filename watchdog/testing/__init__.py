"""Fakes that users and our own tests share; each passes the contract suite of the real thing."""
