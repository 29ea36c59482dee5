"""The statements of each paper, a file per paper: rows of data, in our own words."""
