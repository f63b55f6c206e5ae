"""Ray: the actor pool that builds zoos, and training on many workers. The only room that imports Ray."""
