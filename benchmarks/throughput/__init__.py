"""From the tick to the last accepted send: our line beside what others would write first."""
