"""What a trained network looks at, and what training changed inside it."""
