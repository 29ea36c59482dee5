"""The papers this project stands for: their numbers and their statements as data."""
