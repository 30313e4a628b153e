"""A service that is composed of parts: what the kit does for a service it does for each of them."""


def parts_of(service: object) -> list[object]:
    """List a service and, in turn, what it holds of its own package: the parts that it is composed of."""
    package = type(service).__module__.rpartition(".")[0]
    found: list[object] = []

    def look(part: object) -> None:
        if any(part is each for each in found):
            return
        found.append(part)
        for held in vars(part).values() if hasattr(part, "__dict__") else ():
            if type(held).__module__.startswith(f"{package}."):
                look(held)

    look(service)
    return found
