"""The conversation: understanding words, routing, one small function per thing a person can say, all the copy."""
