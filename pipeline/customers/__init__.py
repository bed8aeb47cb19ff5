"""What is known of each customer in a month: credit indices, customer group, life-cycle stage."""
