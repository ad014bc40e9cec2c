using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.ML.OnnxRuntime;

namespace MixedPrecision.Execution;

/// <summary>What a session option is to the runtime.</summary>
public enum SessionOptionKind
{
    /// <summary>A size for a symbolic dimension of the model.</summary>
    FreeDimension,

    /// <summary>An entry of the session's configuration.</summary>
    ConfigEntry,
}

/// <summary>An option that an app may set of a session besides its threads, without a change of the model's file.</summary>
/// <param name="Kind">What it is to the runtime.</param>
/// <param name="Name">Name of the dimension, or of the entry.</param>
/// <param name="Value">Size of the dimension, or value of the entry.</param>
[JsonConverter(typeof(SessionOptionJson))]
public sealed record SessionOption(SessionOptionKind Kind, string Name, string Value)
{
    /// <summary>Gelu and BiasGelu computed by tanh instead of erf: other numbers, by some 1e-4.</summary>
    public static readonly SessionOption GeluApproximation = new(SessionOptionKind.ConfigEntry, "optimization.enable_gelu_approximation", "1");

    /// <summary>Workers wait for work instead of spinning.</summary>
    public static readonly SessionOption NoSpinning = new(SessionOptionKind.ConfigEntry, "session.intra_op.allow_spinning", "0");

    private static readonly JsonSerializerOptions Literal = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>A size for a symbolic dimension.</summary>
    public static SessionOption FreeDimension(string name, long size) => new(SessionOptionKind.FreeDimension, name, size.ToString(CultureInfo.InvariantCulture));

    /// <summary>The statement of C# that sets it. What JSON escapes in a text C# escapes alike.</summary>
    public string ToCode()
    {
        string name = JsonSerializer.Serialize(Name, Literal);
        return Kind == SessionOptionKind.FreeDimension
            ? $"options.AddFreeDimensionOverrideByName({name}, {Value});"
            : $"options.AddSessionConfigEntry({name}, {JsonSerializer.Serialize(Value, Literal)});";
    }

    /// <summary>The option that a statement of <see cref="ToCode"/> sets.</summary>
    /// <exception cref="JsonException">It is none.</exception>
    internal static SessionOption OfCode(string code)
    {
        const string Dimension = "options.AddFreeDimensionOverrideByName(";
        const string Entry = "options.AddSessionConfigEntry(";
        bool isDimension = code.StartsWith(Dimension, StringComparison.Ordinal);
        if ((!isDimension && !code.StartsWith(Entry, StringComparison.Ordinal)) || !code.EndsWith(");", StringComparison.Ordinal))
        {
            throw new JsonException($"'{code}' sets no session option that is known.");
        }

        using JsonDocument arguments = JsonDocument.Parse($"[{code[(isDimension ? Dimension : Entry).Length..^2]}]");
        return arguments.RootElement.GetArrayLength() == 2 && arguments.RootElement[0].ValueKind == JsonValueKind.String
            && arguments.RootElement[1].ValueKind == (isDimension ? JsonValueKind.Number : JsonValueKind.String)
            ? new SessionOption(isDimension ? SessionOptionKind.FreeDimension : SessionOptionKind.ConfigEntry, arguments.RootElement[0].GetString()!, arguments.RootElement[1].ToString())
            : throw new JsonException($"'{code}' sets no session option that is known.");
    }

    internal void Apply(SessionOptions options)
    {
        if (Kind == SessionOptionKind.FreeDimension)
        {
            options.AddFreeDimensionOverrideByName(Name, long.Parse(Value, CultureInfo.InvariantCulture));
        }
        else
        {
            options.AddSessionConfigEntry(Name, Value);
        }
    }
}

/// <summary>In reports an option is the statement that sets it.</summary>
internal sealed class SessionOptionJson : JsonConverter<SessionOption>
{
    public override SessionOption Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String ? SessionOption.OfCode(reader.GetString()!) : throw new JsonException();

    public override void Write(Utf8JsonWriter writer, SessionOption value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToCode());
}
