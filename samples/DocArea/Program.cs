// Says which areas of the .NET class library a sentence of documentation is about.
using System.Text.Json;
using DocArea;
using Microsoft.ML.OnnxRuntime;

const int Shown = 5;

long[] tokens = Tokenizer.Encode(string.Join(' ', args));
if (tokens.Length == 0)
{
    Console.Error.WriteLine("Usage: DocArea \"a sentence in English about a class or method\"");
    return 1;
}

using var options = new SessionOptions { IntraOpNumThreads = 2 };
using var session = new InferenceSession(Path.Combine(AppContext.BaseDirectory, "model.mixed.onnx"), options);

long[] shape = [1, tokens.Length];
long[] mask = new long[tokens.Length];
Array.Fill(mask, 1);
using OrtValue inputIds = OrtValue.CreateTensorValueFromMemory(tokens, shape);
using OrtValue attentionMask = OrtValue.CreateTensorValueFromMemory(mask, shape);
var inputs = new Dictionary<string, OrtValue> { ["input_ids"] = inputIds, ["attention_mask"] = attentionMask };

using var runOptions = new RunOptions();
using IDisposableReadOnlyCollection<OrtValue> outputs = session.Run(runOptions, inputs, ["logits"]);
float[] logits = outputs[0].GetTensorDataAsSpan<float>().ToArray();

float largest = logits.Max();
double[] powers = [.. logits.Select(logit => Math.Exp(logit - largest))];
string[] areas = ReadAreas();
foreach ((int index, double power) in powers.Index().OrderByDescending(entry => entry.Item).Take(Shown))
{
    Console.WriteLine($"{power / powers.Sum(),7:P1}  {areas[index]}");
}
return 0;

static string[] ReadAreas()
{
    using Stream stream = typeof(Tokenizer).Assembly.GetManifestResourceStream("labels.json")!;
    using JsonDocument labels = JsonDocument.Parse(stream);
    return [.. labels.RootElement.GetProperty("classes").EnumerateArray().Select(name => name.GetString()!)];
}
