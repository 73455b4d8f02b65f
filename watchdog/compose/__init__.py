"""What observing and acting on a Compose project share: the engine's API, the program, the files. Changes nothing."""
