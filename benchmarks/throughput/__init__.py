"""From the tick to the last accepted send: our line beside designs that others would write first."""
