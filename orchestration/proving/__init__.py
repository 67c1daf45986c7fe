"""What proves a decision: the past decided anew, the page of one person, the pack for an auditor."""
