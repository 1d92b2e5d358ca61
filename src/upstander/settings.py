"""Settings: one TOML file, one typed object. Unknown keys are refused with the nearest known one."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec

from upstander.adapters.base import Capability
from upstander.policy.coverage import Declared
from upstander.reports.settings import NcaSettings, NcmecSettings, ReporterSettings, ReportSettings
from upstander.watch.settings import KeepSettings, WatchSettings

Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
Positive = Annotated[int, msgspec.Meta(ge=1)]


class SettingsError(ValueError):
    """Settings that cannot be used; the message names the file, the key, the reason and the fix."""


class Server(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Where the service listens. ``host`` other than loopback needs a TLS proxy in front of it."""

    host: str = "127.0.0.1"
    port: Port = 8787


class Limits(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the service takes on at once; beyond it, it answers 429 with ``Retry-After``."""

    max_pending: Positive = 20_000
    max_batch: Positive = 1_000
    max_body_bytes: Positive = 4 * 1024 * 1024
    max_streams: Positive = 200
    #: events further ahead of this machine's clock are refused
    max_ahead_s: Positive = 86_400


class Hold(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How long a comment waits for its decision unless its broadcast says otherwise."""

    deadline_ms: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 250


class JournalSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Group commit: how long a commit waits for company, and how many events lie between snapshots."""

    linger_ms: Annotated[float, msgspec.Meta(ge=0, le=100)] = 1.0
    snapshot_every: Positive = 200_000


class NudgeSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The cards that hosts see. ``country`` (ISO 3166-1 alpha-2, such as ``GB``) says whose places of help they name;
    empty: international ones. ``language`` serves broadcasts that name none, or one that there are no cards in."""

    country: Annotated[str, msgspec.Meta(pattern="^([A-Z]{2})?$")] = ""
    language: Annotated[str, msgspec.Meta(pattern="^[a-z]{2,3}$")] = "en"


class AdapterSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One adapter. ``kind`` is ``webhook`` (``url``, ``secret_file``, ``capabilities``), ``nginx_rtmp``
    (``control_url``, ``app``; ``secret_file`` guards the callbacks that nginx makes; ``card_url``, such as
    ``rtmp://127.0.0.1/live``, is where a still card is published while a stream is paused), ``matrix`` (``url`` of the
    homeserver, ``secret_file`` with the moderation account's access token, ``moderators_room``) or ``xmpp`` (``jid`` of
    the moderation account, ``secret_file`` with its password, ``url`` such as ``xmpp://127.0.0.1:5222`` unless the DNS
    knows the server, ``moderators_jid``). In the last two, ``nudge_text`` and ``warning_text`` stand in place of the
    built-in words, and ``capabilities`` only have it do less than it can."""

    name: Annotated[str, msgspec.Meta(pattern="^[a-z0-9_-]{1,64}$")]
    platform: Annotated[str, msgspec.Meta(pattern="^[a-z0-9_-]{1,64}$")]
    kind: Annotated[str, msgspec.Meta(pattern="^(webhook|nginx_rtmp|matrix|xmpp)$")]
    secret_file: str
    url: str = ""
    capabilities: tuple[Capability, ...] = ()
    control_url: str = ""
    app: str = "live"
    card_url: Annotated[str, msgspec.Meta(pattern="^(rtmp://[^/?]+/.+)?$")] = ""
    moderators_room: str = ""
    jid: str = ""
    moderators_jid: str = ""
    nudge_text: Annotated[str, msgspec.Meta(max_length=1_000)] = ""
    warning_text: Annotated[str, msgspec.Meta(max_length=1_000)] = ""


class PresetSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The presets in force, by id: what they ask for is asked for when a broadcast begins. Nothing listed: all that
    ship but the examples, the strictest there is; ``["none"]`` means none. ``[presets.platform]`` declares what the
    platform does by itself."""

    use: tuple[str, ...] = ()
    platform: Declared = Declared()


class VaultSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The evidence vault. ``key`` says where the key-encryption key is: ``file`` (``key_file``, of mode 600; empty:
    ``vault.key`` in the data folder), ``environment`` (``UPSTANDER_VAULT_KEY``) or ``command`` (``key_command`` is run
    to wrap and unwrap keys: the way to a key management service). ``storage``: where items lie, such as
    ``s3://bucket/prefix`` with ``storage_options`` (``endpoint``, ``region``); empty: the data folder. ``keep_days``:
    how long evidence is kept where no preset asks for longer. ``timestamp_url``: an RFC 3161 authority, asked every
    ``timestamp_minutes`` when there is something new; ``timestamp_roots``: its certificates (PEM)."""

    key: Annotated[str, msgspec.Meta(pattern="^(file|environment|command)$")] = "file"
    key_file: str = ""
    key_command: tuple[str, ...] = ()
    storage: str = ""
    storage_options: dict[str, str] = {}
    keep_days: Positive = 90
    timestamp_url: str = ""
    timestamp_roots: str = ""
    timestamp_minutes: Positive = 60


class CaseSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Cases. ``enabled``: the service opens a case and seals evidence when a decision reaches ``level`` (the vault must
    have been made). Minutes: how long a claim holds (``lease_minutes``), until a case should have been looked at
    (``first_look_minutes``), until an escalation must be approved or refused (``approval_minutes``) and then filed
    (``filing_minutes``); a case that is late raises an alarm. Days: a closed case is erased ``keep_days`` after it was
    closed, a filed one ``keep_filed_days`` after it was filed, and neither while evidence of it is kept; filing keeps
    its evidence for ``keep_filed_days``, too (or as long as a preset asks for, if that is longer)."""

    enabled: bool = False
    level: Annotated[str, msgspec.Meta(pattern="^(concern|urgent|emergency)$")] = "urgent"
    lease_minutes: Positive = 15
    first_look_minutes: Positive = 5
    approval_minutes: Positive = 60
    filing_minutes: Positive = 240
    keep_days: Positive = 180
    keep_filed_days: Positive = 365


class CareSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Looking after moderators. Words (and pictures) stay veiled until asked for; each unveiling counts. After
    ``break_after`` without a pause of ``break_minutes`` there is a break of that length; beyond ``budget`` within
    ``shift_hours`` a second person has to allow it. What was unveiled is veiled again after ``veil_minutes``.
    ``second_share``: the share of closed cases that somebody else judges too, without being told the first verdict."""

    budget: Positive = 60
    shift_hours: Positive = 8
    break_after: Positive = 15
    break_minutes: Positive = 10
    veil_minutes: Positive = 15
    second_share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.1


class CaptureSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Captures. ``enabled``: the service keeps fingerprints of `frame` events for ``keep_days`` after a broadcast and
    matches them against the banks. A rebroadcast needs ``frames`` distinct frames that agree over ``seconds``. A frame
    that ``common_broadcasts`` different broadcasts showed is common and ignored; a bank's entry that matches more than
    ``quarantine`` places within two hours is quarantined. One caller may ask the banks ``queries_per_minute``."""

    enabled: bool = False
    keep_days: Positive = 90
    frames: Annotated[int, msgspec.Meta(ge=2, le=100)] = 3
    seconds: Annotated[float, msgspec.Meta(ge=0.5, le=60)] = 2.0
    common_broadcasts: Annotated[int, msgspec.Meta(ge=2)] = 5
    quarantine: Positive = 50
    queries_per_minute: Positive = 6_000


class ExchangeSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An exchange that a bank is fetched from. ``kind`` is ``ncmec`` (``user``, ``secret_file`` with the password),
    ``stopncii`` (``secret_file``: two lines, the subscription key and the function key), ``tat`` (Tech Against
    Terrorism: ``user``, password), ``arachnid`` (Shield, which is only asked: ``user``, password) or ``list`` (a file
    behind an address: ``columns`` says which column holds which kind of value, ``secret_file`` the whole
    ``Authorization`` header, if one is needed). ``url``: where; empty: the real server. ``reason``: the GUID that
    disputes sent to NCMEC give as theirs, where there are several."""

    name: Annotated[str, msgspec.Meta(pattern="^[a-z0-9_-]{1,64}$")]
    kind: Annotated[str, msgspec.Meta(pattern="^(ncmec|stopncii|tat|arachnid|list)$")]
    bank: str = ""
    url: Annotated[str, msgspec.Meta(pattern="^(https?://.+)?$")] = ""
    user: str = ""
    secret_file: str = ""
    columns: dict[str, str] = {}
    reason: str = ""


class ProviderSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An OpenID Connect provider that people may sign in with (empty ``issuer``: none). ``secret_file`` holds the
    client's secret; ``claim`` is the claim of the ID token that an account's ``--subject`` names, ``label`` what the
    button says. With ``email`` as the claim, only a verified address counts."""

    issuer: Annotated[str, msgspec.Meta(pattern="^(https?://.+)?$")] = ""
    client_id: str = ""
    secret_file: str = ""
    claim: Annotated[str, msgspec.Meta(min_length=1)] = "sub"
    label: str = "Sign in with your organisation"


class ConsoleSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The console. ``url`` is the address that people open, such as ``https://upstander.example.org``: passkeys and the
    provider need it. A session ends ``idle_minutes`` after its last use and ``session_hours`` after it began. There is
    an alert in the ledger when one person opens more than ``many_broadcasts`` broadcasts within an hour."""

    url: Annotated[str, msgspec.Meta(pattern="^(https?://[^/]+)?$")] = ""
    idle_minutes: Positive = 60
    session_hours: Positive = 12
    many_broadcasts: Positive = 60
    provider: ProviderSettings = ProviderSettings()


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Everything. ``data`` is the one folder that the service writes to; ``packs`` a folder of packs of one's own
    (the bundled ones serve when it is empty), ``policy`` a policy file of one's own; both are read again when they
    change (``packs_reload``) and on SIGHUP."""

    data: str = "upstander-data"
    packs: str = ""
    packs_reload: bool = True
    policy: str = ""
    server: Server = Server()
    limits: Limits = Limits()
    hold: Hold = Hold()
    journal: JournalSettings = JournalSettings()
    nudge: NudgeSettings = NudgeSettings()
    presets: PresetSettings = PresetSettings()
    vault: VaultSettings = VaultSettings()
    cases: CaseSettings = CaseSettings()
    reports: ReportSettings = ReportSettings()
    care: CareSettings = CareSettings()
    captures: CaptureSettings = CaptureSettings()
    console: ConsoleSettings = ConsoleSettings()
    watch: WatchSettings = WatchSettings()
    adapters: tuple[AdapterSettings, ...] = ()
    exchanges: tuple[ExchangeSettings, ...] = ()

    @property
    def folder(self) -> Path:
        """The data folder."""
        return Path(self.data)

    @property
    def journal_path(self) -> Path:
        """The journal's file."""
        return self.folder / "journal.sqlite"

    @property
    def keys_path(self) -> Path:
        """The API keys' file."""
        return self.folder / "keys.sqlite"

    @property
    def people_path(self) -> Path:
        """The accounts' file."""
        return self.folder / "people.sqlite3"

    @property
    def audit_path(self) -> Path:
        """The file of the ledger of what people looked at and did."""
        return self.folder / "audit.sqlite3"

    @property
    def care_path(self) -> Path:
        """The file of what people unveiled, and of second reviews."""
        return self.folder / "care.sqlite3"

    @property
    def snapshots_path(self) -> Path:
        """The snapshots' folder."""
        return self.folder / "snapshots"


def load(path: Path | None) -> Settings:
    """Settings from a TOML file; the defaults when ``path`` is ``None``. Relative paths are relative to the file."""
    if path is None:
        return Settings()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read ({error}). Name a TOML file with --config.") from None
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not TOML ({error}). Check the line it names.") from None
    try:
        settings = msgspec.convert(tree, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {_explain(str(error), tree)}") from None
    for adapter in settings.adapters:
        _check(path, adapter)
    names = [adapter.name for adapter in settings.adapters]
    if len(set(names)) < len(names):
        raise SettingsError(f"{path}: two adapters have one name. Give each its own `name`.")
    base = path.parent
    adapters = tuple(
        msgspec.structs.replace(adapter, secret_file=str(base / adapter.secret_file)) for adapter in settings.adapters
    )
    exchanges = tuple(
        msgspec.structs.replace(one, secret_file=_beside(base, one.secret_file)) for one in settings.exchanges
    )
    packs = str(base / settings.packs) if settings.packs else ""
    policy = str(base / settings.policy) if settings.policy else ""
    vault = msgspec.structs.replace(
        settings.vault, **{key: _beside(base, getattr(settings.vault, key)) for key in ("key_file", "timestamp_roots")}
    )
    provider = settings.console.provider
    provider = msgspec.structs.replace(provider, secret_file=_beside(base, provider.secret_file))
    _check_provider(path, settings.console)
    console = msgspec.structs.replace(settings.console, provider=provider)
    ncmec = settings.reports.ncmec
    ncmec = msgspec.structs.replace(ncmec, password_file=_beside(base, ncmec.password_file))
    reports = msgspec.structs.replace(settings.reports, ncmec=ncmec)
    watch = msgspec.structs.replace(settings.watch, speech_model=_beside(base, settings.watch.speech_model))
    return msgspec.structs.replace(
        settings, data=str(base / settings.data), packs=packs, policy=policy, vault=vault, console=console,
        adapters=adapters, exchanges=exchanges, reports=reports, watch=watch,
    )  # fmt: skip


def _beside(base: Path, name: str) -> str:
    return str(base / name) if name else ""


def _check_provider(path: Path, console: ConsoleSettings) -> None:
    if not console.provider.issuer:
        return
    missing = [f"`{name}`" for name in ("client_id", "secret_file") if not getattr(console.provider, name)]
    if missing:
        fix = "Give what the provider gave you when the client was registered."
        raise SettingsError(f"{path}: {' and '.join(missing)} of [console.provider] missing. {fix}")
    if not console.url:
        raise SettingsError(f"{path}: `url` of [console] is missing, and [console.provider] needs it to come back to.")


def _check(path: Path, adapter: AdapterSettings) -> None:
    needed = {"webhook": ("url",), "nginx_rtmp": ("control_url",), "matrix": ("url",), "xmpp": ()}[adapter.kind]
    for key in needed:
        value = getattr(adapter, key)
        if not re.match("https?://", value):
            what = f"is {value!r}" if value else "is missing"
            raise SettingsError(f"{path}: `{key}` of adapter `{adapter.name}` {what}. Give an http(s) address.")
    if adapter.kind == "webhook" and not adapter.capabilities:
        known = ", ".join(Capability)
        raise SettingsError(f"{path}: adapter `{adapter.name}` lists no `capabilities`. Use some of: {known}.")
    if adapter.moderators_room and not re.fullmatch(r"!\S+", adapter.moderators_room):
        reason = f"`moderators_room` of adapter `{adapter.name}` is {adapter.moderators_room!r}"
        raise SettingsError(f"{path}: {reason}. Give the room's id, which begins with `!` (not an alias).")
    if adapter.kind == "xmpp":
        _check_xmpp(path, adapter)


def _check_xmpp(path: Path, adapter: AdapterSettings) -> None:
    for key, value in (("jid", adapter.jid), ("moderators_jid", adapter.moderators_jid)):
        if not re.fullmatch(r"[^@/\s]+@[^@/\s]+", value) and (value or key == "jid"):
            what = f"is {value!r}" if value else "is missing"
            fix = "Give an account's address, such as `upstander@chat.example.org`."
            raise SettingsError(f"{path}: `{key}` of adapter `{adapter.name}` {what}. {fix}")
    if adapter.url and not re.fullmatch(r"xmpps?://[^/\s]+", adapter.url):
        fix = "Give `xmpp://host:port` (or `xmpps://`), or leave it out to have the server looked up in the DNS."
        raise SettingsError(f"{path}: `url` of adapter `{adapter.name}` is {adapter.url!r}. {fix}")


def _explain(message: str, tree: dict[str, Any]) -> str:
    unknown = re.search(r"unknown field `([^`]+)`(?: - at `\$\.?([^`]*)`)?", message)
    if unknown is None:
        return f"{message}. See the settings reference in the docs."
    name, where = unknown.group(1), unknown.group(2) or ""
    section = {
        "": Settings,
        "server": Server,
        "limits": Limits,
        "hold": Hold,
        "journal": JournalSettings,
        "nudge": NudgeSettings,
    }
    section |= {"presets": PresetSettings, "presets.platform": Declared, "vault": VaultSettings, "cases": CaseSettings}
    section |= {"care": CareSettings, "captures": CaptureSettings}
    section |= {"console": ConsoleSettings, "console.provider": ProviderSettings}
    section |= {"reports": ReportSettings, "reports.reporter": ReporterSettings}
    section |= {"reports.ncmec": NcmecSettings, "reports.nca": NcaSettings}
    section |= {"watch": WatchSettings}
    if where.startswith("watch.keep"):
        section[where] = KeepSettings
    kind: Any = AdapterSettings if where.startswith("adapters") else section.get(where, Settings)
    kind = ExchangeSettings if where.startswith("exchanges") else kind
    near = difflib.get_close_matches(name, kind.__struct_fields__, 1)
    hint = f"Did you mean `{near[0]}`?" if near else f"Known: {', '.join(kind.__struct_fields__)}."
    return f"unknown key `{name}`{f' in [{where}]' if where else ''}. {hint}"


def read_secret(path: str) -> str:
    """A secret from its file. It must not be readable by others."""
    file = Path(path)
    try:
        mode = file.stat().st_mode & 0o077
        secret = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(
            f"the secret file {path} cannot be read ({error.strerror}). Create it with mode 600."
        ) from None
    if mode:
        raise SettingsError(f"the secret file {path} can be read by others. Run: chmod 600 {path}")
    if not secret:
        raise SettingsError(f"the secret file {path} is empty. Put the secret in it.")
    return secret
