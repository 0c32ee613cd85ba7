"""How things look on the wire: the JSON of Discord's API v10.

Field by field as in Discord's OpenAPI document (`…Response` schemas).
"""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from sandbox.discord import cdn, components
from sandbox.discord.models import (
    Attachment,
    Channel,
    ChannelType,
    Guild,
    Interaction,
    InteractionType,
    Json,
    Member,
    Message,
    MessageFlag,
    MessageType,
    Overwrite,
    Role,
    User,
)
from sandbox.discord.permissions import app_permissions, can_see, permissions_in
from sandbox.discord.world import World


def timestamp(at: float | None) -> str | None:
    """Format a time as Discord does: ISO 8601 with microseconds and an explicit +00:00."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")


def text_id(value: int | None) -> str | None:
    """Turn an id into its form on the wire."""
    return None if value is None else str(value)


def user(u: User) -> Json:
    """Show an account."""
    shown: Json = {
        "id": str(u.id),
        "username": u.username,
        "global_name": u.global_name,
        "avatar": u.avatar,
        "discriminator": "0",
        "public_flags": 0,
        "flags": 0,
        "banner": None,
        "accent_color": None,
        "avatar_decoration_data": None,
        "collectibles": None,
        "primary_guild": None,
    }
    if u.bot:
        shown["bot"] = True
    return shown


def own_user(u: User) -> Json:
    """Show the bot's account to itself."""
    return user(u) | {"mfa_enabled": False, "locale": u.locale, "verified": True, "email": None}


def member(m: Member, *, with_user: bool = True) -> Json:
    """Show a membership; in messages it comes without its user."""
    shown: Json = {
        "avatar": None,
        "banner": None,
        "communication_disabled_until": timestamp(m.timed_out_until),
        "flags": 0,
        "joined_at": timestamp(m.joined_at),
        "nick": m.nick,
        "pending": False,
        "premium_since": None,
        "roles": [str(r) for r in m.roles],
        "mute": False,
        "deaf": False,
    }
    if with_user:
        shown["user"] = user(m.user)
    return shown


def role(r: Role) -> Json:
    """Show a role."""
    shown: Json = {
        "id": str(r.id),
        "name": r.name,
        "permissions": str(r.permissions),
        "position": r.position,
        "color": r.color,
        "colors": {"primary_color": r.color, "secondary_color": None, "tertiary_color": None},
        "hoist": r.hoist,
        "managed": r.managed,
        "mentionable": r.mentionable,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
    }
    if r.bot_id is not None:
        shown["tags"] = {"bot_id": str(r.bot_id)}
    return shown


def overwrite(o: Overwrite) -> Json:
    """Show a permission overwrite."""
    return {"id": str(o.id), "type": o.type, "allow": str(o.allow), "deny": str(o.deny)}


def guild(world: World, g: Guild) -> Json:
    """Show a guild, without its channels and members."""
    return {
        "id": str(g.id),
        "name": g.name,
        "icon": None,
        "description": None,
        "home_header": None,
        "splash": None,
        "discovery_splash": None,
        "features": g.features,
        "banner": None,
        "owner_id": str(g.owner_id),
        "application_id": None,
        "region": "deprecated",
        "afk_channel_id": None,
        "afk_timeout": 300,
        "system_channel_id": None,
        "system_channel_flags": 0,
        "widget_enabled": False,
        "widget_channel_id": None,
        "verification_level": 0,
        "roles": [role(r) for r in sorted(g.roles.values(), key=lambda r: r.position)],
        "default_message_notifications": 1,
        "mfa_level": 0,
        "explicit_content_filter": 0,
        "max_presences": None,
        "max_members": 500_000,
        "max_stage_video_channel_users": 50,
        "max_video_channel_users": 25,
        "vanity_url_code": None,
        "premium_tier": g.premium_tier,
        "premium_subscription_count": {0: 0, 1: 2, 2: 7, 3: 14}[g.premium_tier],
        "preferred_locale": g.preferred_locale,
        "rules_channel_id": None,
        "safety_alerts_channel_id": None,
        "public_updates_channel_id": None,
        "premium_progress_bar_enabled": False,
        "nsfw": False,
        "nsfw_level": 0,
        "emojis": [],
        "stickers": [],
        "incidents_data": None,
    }


def channel(world: World, c: Channel) -> Json:
    """Show a channel, a DM or a thread."""
    if c.recipient is not None:
        return _dm(c)
    if c.thread is not None:
        return thread(world, c)
    shown: Json = {
        "id": str(c.id),
        "type": int(c.type),
        "flags": 0,
        "guild_id": str(c.guild_id),
        "name": c.name,
        "parent_id": text_id(c.parent_id),
        "position": c.position,
        "permission_overwrites": [overwrite(o) for o in c.overwrites.values()],
        "nsfw": c.nsfw,
    }
    if c.type is ChannelType.CATEGORY:
        return shown
    shown |= {"last_message_id": text_id(c.last_message_id), "rate_limit_per_user": c.rate_limit_per_user}
    if c.is_voice:
        shown |= {"bitrate": 64000, "user_limit": 0, "rtc_region": None}
    else:
        shown |= {"topic": c.topic, "last_pin_timestamp": None, "default_auto_archive_duration": 4320}
    if c.type is ChannelType.FORUM:
        shown |= {
            "available_tags": c.tags,
            "default_reaction_emoji": None,
            "default_sort_order": None,
            "default_forum_layout": 0,
            "default_thread_rate_limit_per_user": 0,
        }
    return shown


def _dm(c: Channel) -> Json:
    return {
        "id": str(c.id),
        "type": int(c.type),
        "flags": 0,
        "last_message_id": text_id(c.last_message_id),
        "recipients": [user(c.recipient)] if c.recipient else [],
    }


def thread(world: World, c: Channel, *, newly_created: bool = False) -> Json:
    """Show a thread; the bot's own membership is included when it has joined."""
    t = c.thread
    if t is None:
        raise TypeError(f"channel {c.id} is no thread")
    shown: Json = {
        "id": str(c.id),
        "type": int(c.type),
        "flags": 0,
        "guild_id": str(c.guild_id),
        "name": c.name,
        "parent_id": text_id(c.parent_id),
        "owner_id": str(t.owner_id),
        "last_message_id": text_id(c.last_message_id),
        "rate_limit_per_user": c.rate_limit_per_user,
        "message_count": t.message_count,
        "member_count": min(len(t.members), 50),
        "total_message_sent": t.total_message_sent,
        "thread_metadata": {
            "archived": t.archived,
            "archive_timestamp": timestamp(t.archived_at or t.created_at),
            "auto_archive_duration": t.auto_archive_duration,
            "locked": t.locked,
            "create_timestamp": timestamp(t.created_at),
        },
    }
    if c.type is ChannelType.PRIVATE_THREAD:
        shown["thread_metadata"]["invitable"] = t.invitable
    if c.parent_id is not None and world.parent_of(c).type is ChannelType.FORUM:
        shown["applied_tags"] = [str(tag) for tag in t.applied_tags]
    if world.bot.id in t.members:
        shown["member"] = thread_member(c, world.bot.id)
    if newly_created:
        shown["newly_created"] = True
    return shown


def thread_member(c: Channel, user_id: int) -> Json:
    """Show someone's membership of a thread."""
    joined = c.thread.members[user_id] if c.thread else 0.0
    return {"id": str(c.id), "user_id": str(user_id), "join_timestamp": timestamp(joined), "flags": 1}


def attachment(world: World, a: Attachment) -> Json:
    """Show an attachment with a freshly signed address."""
    url = cdn.signed_url(world, a)
    shown: Json = {
        "id": str(a.id),
        "filename": a.filename,
        "size": a.size,
        "url": url,
        "proxy_url": url,
        "flags": 8 if a.spoiler else 0,
    }
    optional = {
        "content_type": a.content_type,
        "width": a.width,
        "height": a.height,
        "duration_secs": a.duration,
        "description": a.description,
        "title": a.title,
        "ephemeral": a.ephemeral or None,
    }
    return shown | {k: v for k, v in optional.items() if v is not None}


def _find_attachment(m: Message, url: str) -> Attachment | None:
    """Find the attachment an `attachment://` address or one of our own CDN addresses means."""
    for a in m.attachments:
        if url == f"attachment://{a.filename}":
            return a
        if f"attachments/{a.channel_id}/{a.id}/" in url:
            return a
    return None


def _media(world: World, m: Message, url: str) -> Json:
    found = _find_attachment(m, url)
    if found is None:
        return {"url": url, "proxy_url": url}
    signed = cdn.signed_url(world, found)
    size = {"width": found.width, "height": found.height, "content_type": found.content_type}
    return {"url": signed, "proxy_url": signed} | {k: v for k, v in size.items() if v is not None}


def _embed(world: World, m: Message, embed: Json) -> Json:
    shown = {k: deepcopy(v) for k, v in embed.items() if v is not None}
    shown["type"] = "rich"
    for key in ("image", "thumbnail"):
        if isinstance(shown.get(key), dict) and shown[key].get("url"):
            shown[key] = _media(world, m, shown[key]["url"])
    for key in ("author", "footer"):
        part = shown.get(key)
        if isinstance(part, dict) and part.get("icon_url"):
            media = _media(world, m, part["icon_url"])
            part["icon_url"], part["proxy_icon_url"] = media["url"], media["proxy_url"]
    for item in shown.get("fields", []):
        item.setdefault("inline", False)
    return shown


def _shown_in_embeds(m: Message) -> set[int]:
    """List the attachments that an embed shows: Discord leaves those out of `attachments`."""
    urls = [
        part.get(key)
        for embed in m.embeds
        for part, key in (
            (embed.get("image") or {}, "url"),
            (embed.get("thumbnail") or {}, "url"),
            (embed.get("author") or {}, "icon_url"),
            (embed.get("footer") or {}, "icon_url"),
        )
    ]
    # Embedded by its CDN address, an attachment is listed as well: people then see it twice.
    found = (_find_attachment(m, url) for url in urls if url and url.startswith("attachment://"))
    return {a.id for a in found if a is not None}


def _components(world: World, m: Message) -> list[Json]:
    shown = deepcopy(m.components)
    for media in components.attachment_urls(shown):
        found = _find_attachment(m, media["url"])
        media.update(_media(world, m, media["url"]))
        media["id"] = str(found.id if found else m.id)
        if found is not None:
            media["attachment_id"] = str(found.id)
    for component in components.walk(shown):
        if component["type"] == components.FILE:
            found = _find_attachment(m, component["file"]["url"])
            component["name"] = found.filename if found else None
            component["size"] = found.size if found else None
    return shown


def message(world: World, m: Message, *, nested: bool = False, nonce: bool = False) -> Json:
    """Show a message; `nested` leaves out what it refers to, `nonce` includes its nonce."""
    hidden = _shown_in_embeds(m)
    suppressed = m.flags & MessageFlag.SUPPRESS_EMBEDS
    shown: Json = {
        "id": str(m.id),
        "channel_id": str(m.channel_id),
        "type": int(m.type),
        "content": m.content,
        "author": user(m.author),
        "timestamp": timestamp(m.timestamp),
        "edited_timestamp": timestamp(m.edited_timestamp),
        "tts": m.tts,
        "mention_everyone": m.mention_everyone,
        "mentions": [user(world.users[u]) for u in m.mentions],
        "mention_roles": [str(r) for r in m.mention_roles],
        "attachments": [attachment(world, a) for a in m.attachments if a.id not in hidden],
        "embeds": [] if suppressed else [_embed(world, m, e) for e in m.embeds],
        "components": _components(world, m),
        "pinned": m.pinned,
        "flags": m.flags,
    }
    if nonce and m.nonce is not None:
        shown["nonce"] = m.nonce
    if m.position is not None:
        shown["position"] = m.position
    if m.interaction is not None:
        shown |= _of_interaction(world, m, m.interaction)
    if m.reference is not None:
        shown |= _reference(world, m, nested=nested)
    if m.thread_id is not None and m.thread_id in world.channels:
        shown["thread"] = thread(world, world.channels[m.thread_id])
    return shown


def _reference(world: World, m: Message, *, nested: bool) -> Json:
    ref = m.reference
    if ref is None:
        return {}
    shown: Json = {"type": 0, "channel_id": str(ref.channel_id)}
    if ref.message_id:
        shown["message_id"] = str(ref.message_id)
    if ref.guild_id is not None:
        shown["guild_id"] = str(ref.guild_id)
    if nested or m.type not in (MessageType.REPLY, MessageType.THREAD_STARTER_MESSAGE):
        return {"message_reference": shown}
    where = world.channels.get(ref.channel_id)
    target = where.messages.get(ref.message_id) if where else None
    told = message(world, target, nested=True) if target else None
    return {"message_reference": shown, "referenced_message": told}


def _of_interaction(world: World, m: Message, i: Interaction) -> Json:
    shown: Json = {"webhook_id": str(world.application_id), "application_id": str(world.application_id)}
    # Only the response itself says which interaction it answers in the old, deprecated `interaction`.
    answers = i.response is None or i.response is m
    if i.type is InteractionType.COMMAND and answers:
        shown["interaction"] = {"id": str(i.id), "type": int(i.type), "name": i.name, "user": user(i.user)}
    shown["interaction_metadata"] = metadata(i, None if answers else i.response)
    return shown


def metadata(i: Interaction, original: Message | None = None) -> Json:
    """Show which interaction a message comes from."""
    shown: Json = {
        "id": str(i.id),
        "type": int(i.type),
        "user": user(i.user),
        "authorizing_integration_owners": integration_owners(i),
    }
    if original is not None:
        shown["original_response_message_id"] = str(original.id)
    if i.type is InteractionType.COMMAND:
        shown["name"] = i.name
        shown["command_type"] = i.data.get("type", 1)
    elif i.type is InteractionType.COMPONENT and i.source is not None:
        shown["interacted_message_id"] = str(i.source.id)
    elif i.type is InteractionType.MODAL_SUBMIT and i.parent is not None:
        shown["triggering_interaction_metadata"] = metadata(i.parent)
    return shown


def integration_owners(i: Interaction) -> Json:
    """Show for whom the application is installed where an interaction happened."""
    return {"0": str(i.guild.id) if i.guild else "0"}


def interaction(world: World, i: Interaction) -> Json:
    """Build INTERACTION_CREATE's data."""
    g = i.guild
    shown: Json = {
        "id": str(i.id),
        "application_id": str(world.application_id),
        "type": int(i.type),
        "data": i.data,
        "token": i.token,
        "version": 1,
        "channel_id": str(i.channel.id),
        "channel": _partial_channel(world, i),
        "app_permissions": str(
            app_permissions(world, i.channel, favourable=world.settings.favourable_app_permissions)
        ),
        "locale": i.user.locale,
        "entitlements": [],
        "entitlement_sku_ids": [],
        "authorizing_integration_owners": integration_owners(i),
        "context": 0 if g else 1,
        "attachment_size_limit": world.upload_limit(g, i.user),
    }
    if g is not None:
        shown["guild_id"] = str(g.id)
        shown["guild_locale"] = g.preferred_locale
        shown["guild"] = {"id": str(g.id), "locale": g.preferred_locale, "features": g.features}
        shown["member"] = member(g.members[i.user.id]) | {
            "permissions": str(permissions_in(world, i.channel, i.user)),
            "unusual_dm_activity_until": None,
        }
    else:
        shown["user"] = user(i.user)
    if i.source is not None:
        shown["message"] = message(world, i.source)
    return shown


def _partial_channel(world: World, i: Interaction) -> Json:
    shown = channel(world, i.channel)
    if i.guild is None:
        return shown
    shown.pop("permission_overwrites", None)
    return shown | {"permissions": str(permissions_in(world, i.channel, i.user))}


def application(world: World) -> Json:
    """Show the application to itself."""
    owner = next(iter(world.guilds.values())).owner_id
    flags = application_flags(world)
    return {
        "id": str(world.application_id),
        "name": world.bot.global_name,
        "icon": None,
        "description": "",
        "type": None,
        "bot": user(world.bot),
        "bot_public": True,
        "bot_require_code_grant": False,
        "verify_key": "0" * 64,
        "flags": flags,
        "flags_new": str(flags),
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
        "owner": user(world.users[owner]),
        "approximate_guild_count": sum(world.bot.id in g.members for g in world.guilds.values()),
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
        "event_webhooks_url": None,
        "event_webhooks_status": 1,
        "explicit_content_filter": 0,
        "team": None,
        "eligible_oauth2_scopes": [],
        "integration_types_config": {"0": {}},
        "rpc_origins": [],
        "summary": "",
        "hook": True,
    }


def application_flags(world: World) -> int:
    """Compute the application's flags: the privileged intents it may use, in their unverified form."""
    bits = {"presences": 1 << 13, "members": 1 << 15, "message_content": 1 << 19}
    return sum(bits[name] for name in world.settings.privileged_intents)


def guild_create(world: World, g: Guild, *, all_members: bool) -> Json:
    """Build GUILD_CREATE's data: the guild with its channels, threads and (some) members."""
    members = [m for m in g.members.values() if all_members or m.user is world.bot]
    threads = [
        c
        for c in world.channels_of(g, threads=True)
        if c.thread and not c.thread.archived and can_see(world, c, world.bot)
    ]
    return guild(world, g) | {
        "joined_at": timestamp(g.bot_joined_at),
        "large": False,
        "unavailable": False,
        "lazy": False,
        "member_count": len(g.members),
        "voice_states": [],
        "members": [member(m) for m in members],
        "channels": [channel(world, c) for c in world.channels_of(g)],
        "threads": [thread(world, c) for c in threads],
        "presences": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
        "embedded_activities": [],
        "guild_hashes": None,
        "version": 1,
    }


def strip_content(shown: Json) -> Json:
    """Empty what the message content intent guards."""
    empty: dict[str, Any] = {"content": "", "embeds": [], "attachments": [], "components": []}
    return shown | empty
