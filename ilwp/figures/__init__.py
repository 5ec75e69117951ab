"""What the book's pages draw and judge."""
