"""The only code that changes production, the questions asked before it may, and the evidence kept first."""
