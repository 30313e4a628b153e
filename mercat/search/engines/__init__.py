"""Search engines behind one protocol: tantivy in this process, OpenSearch over HTTP."""
