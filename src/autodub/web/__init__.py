"""The server: REST interface, streams of events, and the pages that come with them."""
