"""From indices and model to grades: score, default probability, grade rules, reasons, sensitivity, explanations."""
