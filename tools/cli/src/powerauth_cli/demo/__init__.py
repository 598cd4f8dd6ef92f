"""The main job from beginning to end, over real HTTP, with a transcript to read."""
