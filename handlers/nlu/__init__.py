"""What a line most likely means when no rule is certain: phrases, sounds, words, and a model fitted at build time."""
