"""The mergeable summary of training rows, its triangle, and measures of error."""
