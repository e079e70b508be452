"""What the name of a host says, and which ports there are."""

from ipaddress import IPv6Address, ip_address

HIGHEST_PORT = 65_535


def is_loopback(host: str) -> bool:
    """Whether it is this machine, by its name alone: `localhost`, 127.0.0.0/8 or ::1."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
