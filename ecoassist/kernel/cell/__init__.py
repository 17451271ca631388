"""One cell after another: its messages, its end, and what it leaves."""
