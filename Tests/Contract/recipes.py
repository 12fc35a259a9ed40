"""How a generated operation of each kind becomes one that the ledger accepts: what the schema alone decides stays as it
was generated, and what only the ledger knows, which parties, points and reservations there are, is put in its place.

Each takes the world, a source of chance and the generated members, and gives the members and who signs.
"""

from client import now
from world import UNITS, valid_until


def account(world, id, name=None):
    return ({"account": id}, world.known(name or f"actor {id}"))


def guardian(world, id):
    return ({"guardian": id}, world.known(f"guardian {id}"))


def opened(world, chance, line, name):
    """A generated line for a fresh account, whose guardian is not its key."""
    line = {**line, "account": world.fresh()}
    line["credential"] = world.known(name).public
    if line.get("guardian") == line["credential"]:
        line["guardian"] = None
    return line


def publish(world, chance, it):
    issuer = chance.randrange(1, 5)
    program = {**it["program"], "unit": f"U{chance.randrange(16**8):08X}"}
    return {"program": program, "issuer": issuer}, [world.organisation(issuer)]


def open_(world, chance, it):
    organisation = chance.randrange(1, 5)
    lines = [opened(world, chance, line, f"opened {chance.random()}") for line in it["lines"][:5]]
    return {**it, "organisation": organisation, "lines": lines}, [world.organisation(organisation)]


def open_by_ticket(world, chance, it):
    name = f"opened {chance.random()}"
    line = opened(world, chance, it["line"], name)
    organisation = chance.randrange(1, 5)
    ticket = world.client.ticket(organisation, world.issuing[organisation], line, now() + 60_000)
    return {"line": line, "ticket": ticket}, [account(world, line["account"], name)]


def claim(world, chance, it):
    id = world.take("unclaimed")
    key = world.known(f"claimed {id}")
    return {"account": id, "credential": key.public}, [({"account": id}, key), world.organisation(1)]


def add_credential(world, chance, it):
    id = world.take("spare")
    key = world.known(f"added {id}").public
    credential = {"key": key, "from": str(int(world.client.get("/v1/chain")["height"]) + 1000), "to": None}
    return {"account": id, "credential": credential}, [account(world, id)]


def rotate_credential(world, chance, it):
    id = world.take("spare")
    signer = account(world, id)
    return {"account": id, "old": signer[1].public, "new": world.known(f"rotated {id}").public}, [signer]


def revoke_credential(world, chance, it):
    # Never the last one: a second is added first.
    id = world.take("spare")
    signer, second = account(world, id), world.known(f"second {id}")
    height = str(int(world.client.get("/v1/chain")["height"]) + 1000)
    world.submit(
        [{"kind": "add-credential", "account": id, "credential": {"key": second.public, "from": height}}], [signer]
    )
    return {"account": id, "key": second.public}, [signer if chance.random() < 0.5 else guardian(world, id)]


def accrue(world, chance, it):
    unit = chance.choice(list(UNITS))
    lines = []
    for line in it["lines"][:5]:
        key = {**line["key"], "order": world.order()["order"]}
        lines.append({**line, "account": world.actor()[0], "key": key, "amount": str(chance.randrange(1, 1000))})
    return {**it, "unit": unit, "lines": lines}, [world.organisation(UNITS[unit])]


def totals(pool):
    def recipe(world, chance, it):
        lines = [{"key": world.take(pool), "total": str(chance.randrange(1, 51))} for _ in it["lines"][:3]]
        return {**it, "unit": "SPRING", "lines": lines}, [world.organisation(1)]

    return recipe


def transfer(world, chance, it):
    id, key = world.actor()
    to = chance.choice([other for other, _ in world.actors if other != id])
    members = {"from": id, "to": to, "unit": chance.choice(list(UNITS)), "amount": str(chance.randrange(1, 100))}
    return members, [({"account": id}, key)]


def redeem(world, chance, it):
    id, key = world.actor()
    members = {**it, "account": id, "unit": chance.choice(list(UNITS)), "amount": str(chance.randrange(1, 100))}
    return members, [({"account": id}, key)]


def reserve(world, chance, it):
    id, key = world.actor()
    use = it["use"]
    if "transfer" in use:
        use = {"transfer": chance.choice([other for other, _ in world.actors if other != id])}
    members = {
        "account": id, "unit": "SPRING", "amount": str(chance.randrange(1, 100)),
        "organisation": chance.randrange(1, 5), "use": use, "deadline": valid_until(3_600_000),
    }  # fmt: skip
    return members, [({"account": id}, key)]


def commit(world, chance, it):
    hold = world.take("hold")
    members = {"hold": hold["hold"], "amount": str(chance.randrange(1, 11))}
    return members, [world.organisation(hold["organisation"])]


def release(world, chance, it):
    hold = world.take("hold")
    return {"hold": hold["hold"]}, [world.organisation(hold["organisation"])]


def freeze(world, chance, it):
    id = world.take("spare")
    return {"account": id}, [account(world, id) if chance.random() < 0.5 else guardian(world, id)]


def unfreeze(world, chance, it):
    id = world.take("frozen")
    return {"account": id}, [guardian(world, id)]


def propose(world, chance, it):
    if chance.random() < 0.25:
        world.carry_out_old()
    return {"decision": world.decision(), "by": 2}, [world.governor(2)]


def approve(world, chance, it):
    # The same one again answers that it is so already.
    proposal, by = (world.proposal, 1) if chance.random() < 0.25 else (world.take("proposal"), chance.choice((1, 2)))
    return {"proposal": proposal, "by": by}, [world.governor(by)]


def accuse(world, chance, it):
    return {"evidence": world.evidence(chance.getrandbits(63))}, [world.organisation(1)]


RECIPES = {
    "publish": publish, "open": open_, "open-by-ticket": open_by_ticket, "claim": claim,
    "add-credential": add_credential, "rotate-credential": rotate_credential, "revoke-credential": revoke_credential,
    "accrue": accrue, "vest": totals("pending"), "void": totals("pending"), "claw-back": totals("vested"),
    "transfer": transfer, "redeem": redeem, "reserve": reserve, "commit": commit, "release": release,
    "freeze": freeze, "unfreeze": unfreeze, "propose": propose, "approve": approve, "accuse": accuse,
}  # fmt: skip
