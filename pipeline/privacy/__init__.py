"""One customer: everything that is kept of them, as a document; and erasing them."""
