"""The field: the recorded ports, how they are judged again, and the pages made of the records."""
