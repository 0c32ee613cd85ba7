// A bot written with discord.js: all that a bot like Kinora does, in the library's own words.
// What it is told by Discord it tells on stdout, one JSON object a line.
import { createHash } from "node:crypto";
import {
  ActionRowBuilder,
  ApplicationCommandOptionType,
  ApplicationCommandType,
  ButtonBuilder,
  ButtonStyle,
  Client,
  ContainerBuilder,
  DiscordAPIError,
  Events,
  FileUploadBuilder,
  GatewayIntentBits,
  LabelBuilder,
  MediaGalleryBuilder,
  MessageFlags,
  ModalBuilder,
  RadioGroupBuilder,
  StringSelectMenuBuilder,
  TextDisplayBuilder,
  TextInputBuilder,
  TextInputStyle,
} from "discord.js";

const { DISCORD_API_URL, DISCORD_TOKEN, BOT_SHARDS, VIDEO } = process.env;

const client = new Client({
  intents: [GatewayIntentBits.Guilds],
  rest: { api: DISCORD_API_URL.replace(/\/v10$/, "") }, // the library adds the version itself
  shardCount: Number(BOT_SHARDS),
});

const tell = (event, facts = {}) => console.log(JSON.stringify({ event, ...facts }));
const row = (...components) => new ActionRowBuilder().addComponents(...components);
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const digest = async (url) => sha256(Buffer.from(await (await fetch(url)).arrayBuffer()));

const COMMANDS = [
  {
    name: "animate",
    nameLocalizations: { de: "animieren" },
    description: "Bring a still to life",
    options: [
      { name: "image", description: "The still", type: ApplicationCommandOptionType.Attachment, required: true },
      { name: "prompt", description: "What happens", type: ApplicationCommandOptionType.String, required: true },
      {
        name: "seconds",
        description: "How long",
        type: ApplicationCommandOptionType.Integer,
        choices: [{ name: "5 s", value: 5 }, { name: "10 s", value: 10 }],
      },
      { name: "style", description: "How it looks", type: ApplicationCommandOptionType.String, autocomplete: true },
    ],
  },
  { name: "Animate this", type: ApplicationCommandType.Message },
];

const button = (id, label) => new ButtonBuilder().setCustomId(id).setLabel(label).setStyle(ButtonStyle.Secondary);
const lengths = () => [{ label: "5 s", value: "5" }, { label: "10 s", value: "10" }];
const lengthMenu = () => new StringSelectMenuBuilder().setCustomId("length").addOptions(lengths());

const MODAL = new ModalBuilder()
  .setCustomId("again")
  .setTitle("Once more")
  .addLabelComponents(
    new LabelBuilder()
      .setLabel("Prompt")
      .setTextInputComponent(new TextInputBuilder().setCustomId("prompt").setStyle(TextInputStyle.Paragraph)),
    new LabelBuilder().setLabel("Length").setStringSelectMenuComponent(lengthMenu()),
    new LabelBuilder()
      .setLabel("Looks")
      .setRadioGroupComponent(
        new RadioGroupBuilder()
          .setCustomId("looks")
          .addOptions({ label: "As it is", value: "plain" }, { label: "Painted", value: "painted" }),
      ),
    new LabelBuilder()
      .setLabel("Another still")
      .setFileUploadComponent(new FileUploadBuilder().setCustomId("still").setRequired(false)),
  );

async function animate(interaction) {
  await interaction.deferReply();
  const { options, user, locale, guild, appPermissions, attachmentSizeLimit } = interaction;
  const still = options.getAttachment("image");
  tell("command", {
    prompt: options.getString("prompt"),
    seconds: options.getInteger("seconds"),
    still: { name: still.name, size: still.size, width: still.width, height: still.height },
    sha256: await digest(still.url),
    user: user.username,
    locale,
    guild: guild.name,
    shard: guild.shardId,
    may_attach: appPermissions.has("AttachFiles"),
    limit: attachmentSizeLimit,
  });
  const card = await interaction.editReply({
    content: "Rendering …",
    components: [row(button("cancel", "Cancel"), button("edit", "Edit")), row(lengthMenu())],
  });
  const place = await threadFrom(card);
  const video = await place.send({ content: `<@${user.id}>`, files: [{ attachment: VIDEO, name: "kinora.mp4" }] });
  tell("delivered", { message: video.id, sha256: await digest(video.attachments.first().url) });
}

async function threadFrom(card) {
  try {
    return await card.startThread({ name: "The boat drifts away" });
  } catch (error) {
    if (!(error instanceof DiscordAPIError)) throw error;
    tell("refused", { code: error.code, status: error.status });
    return card.channel;
  }
}

async function animateThis(interaction) {
  await interaction.deferReply({ flags: MessageFlags.Ephemeral });
  const still = interaction.targetMessage.attachments.first();
  tell("menu", { still: still.name, sha256: await digest(still.url), author: interaction.targetMessage.author.username });
  const shown = new ContainerBuilder()
    .addTextDisplayComponents(new TextDisplayBuilder().setContent("Here it moves"))
    .addMediaGalleryComponents(new MediaGalleryBuilder().addItems({ media: { url: "attachment://kinora.mp4" } }));
  await interaction.editReply({
    flags: MessageFlags.IsComponentsV2,
    components: [shown],
    files: [{ attachment: VIDEO, name: "kinora.mp4" }],
  });
}

async function again(interaction) {
  const { fields } = interaction;
  const still = fields.getUploadedFiles("still")?.first();
  tell("form", {
    prompt: fields.getTextInputValue("prompt"),
    length: fields.getStringSelectValues("length"),
    looks: fields.getRadioGroup("looks"),
    sha256: still ? await digest(still.url) : null,
  });
  await interaction.reply({ content: "Once more, then", flags: MessageFlags.Ephemeral });
  await interaction.followUp({ content: "It is on its way", flags: MessageFlags.Ephemeral });
}

const answers = {
  animate,
  "Animate this": animateThis,
  again,
  cancel: (interaction) => interaction.reply({ content: "Cancelled", flags: MessageFlags.Ephemeral }),
  edit: (interaction) => interaction.showModal(MODAL),
  length: (interaction) => interaction.update({ content: `Rendering ${interaction.values[0]} s …` }),
};

client.on(Events.InteractionCreate, (interaction) => {
  if (interaction.isAutocomplete()) {
    const { name, value } = interaction.options.getFocused(true);
    return interaction.respond([{ name: `${name}: ${value}`, value }]);
  }
  return answers[interaction.commandName ?? interaction.customId](interaction);
});
client.on(Events.ShardReady, (shard) => tell("shard ready", { shard }));
client.on(Events.ShardResume, (shard) => tell("resumed", { shard }));
client.once(Events.ClientReady, async () => {
  await client.application.commands.set(COMMANDS);
  tell("ready", { user: client.user.username, guilds: client.guilds.cache.map((guild) => guild.name) });
});

await client.login(DISCORD_TOKEN);
