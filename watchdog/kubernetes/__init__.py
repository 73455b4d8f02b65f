"""What reading and acting share about Kubernetes: the API's client, and how Helm keeps its releases there."""
