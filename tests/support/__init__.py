"""What tests share: a small shop that runs the whole app, and a client that talks signed XML."""
